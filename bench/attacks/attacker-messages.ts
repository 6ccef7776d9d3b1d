import { z } from 'zod'

/** The target of an attack: the first message to the attacker process. */
export const targetSchema = z.strictObject({
  /** The home of the mesh. Attackers read from it the keys that they are assumed to have. */
  home: z.string(),
  bootstrapPort: z.number().int(),
})

/** A message of the attacker process. */
export const attackerMessageSchema = z.strictObject({
  kind: z.enum(['ready', 'started', 'stopped']),
  /** What it has counted so far, by name. */
  counts: z.record(z.string(), z.number()),
})

export type Target = z.infer<typeof targetSchema>
export type AttackerMessage = z.infer<typeof attackerMessageSchema>
