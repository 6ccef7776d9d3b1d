/** The default home, relative to the working directory. */
export const DEFAULT_HOME = './data'
