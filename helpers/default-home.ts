/** Where a home is when nobody says where, from the folder that a command is run in. */
export const DEFAULT_HOME = './data'
