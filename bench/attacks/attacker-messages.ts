import { z } from 'zod'

/** What is attacked: sent to the attacker's process first. */
export const targetSchema = z.strictObject({
  /** The home of the mesh. The attackers find the keys there that they are meant to have. */
  home: z.string(),
  bootstrapPort: z.number().int(),
})

/** What the attacker's process says. */
export const attackerMessageSchema = z.strictObject({
  kind: z.enum(['ready', 'started', 'stopped']),
  /** What it has counted so far. */
  figures: z.record(z.string(), z.number()),
})

export type Target = z.infer<typeof targetSchema>
export type AttackerMessage = z.infer<typeof attackerMessageSchema>
