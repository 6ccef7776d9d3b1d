/** The roles of workers. A certificate names the roles of its holder. */
export const ROLES = ['auth', 'gateway', 'processor', 'client'] as const

/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number]
