import { z } from 'zod'

/**
 * The roles of workers that this version knows, for the command line and the configuration. A certificate may name
 * others: see {@link roleSchema}.
 */
export const ROLES = ['auth', 'gateway', 'processor', 'client'] as const

/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number]

/** The most roles of one certificate. */
export const MAX_ROLES = 16

/**
 * A role in a certificate. A worker whose role this version does not know is still a member of the mesh.
 */
export const roleSchema = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/)
