/** What a worker can be. A certificate names the roles that its holder may act in. */
export const ROLES = ['auth', 'gateway', 'processor', 'client'] as const

/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number]
