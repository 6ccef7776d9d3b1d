import { z } from 'zod'
import { StarlingError } from '../errors/starling-error.js'
import type { RecordCommand } from '../store/record-command.js'

const KEY = 'session-key'

const sessionKeySchema = z.strictObject({
  /** P-256, PKCS #8. */
  privateKeyPem: z.string().max(1024),
})

/** Stores a key that signs sessions, unless one is stored already. Answers the stored one, as PEM. */
export const keepSessionKey: RecordCommand<z.infer<typeof sessionKeySchema>, string> = {
  keysOf: () => [KEY],

  decide(state, key) {
    if (!state.has(KEY)) {
      return { changes: [{ kind: 'put', key: KEY, value: key }], answer: key.privateKeyPem }
    }
    const { data } = sessionKeySchema.safeParse(state.get(KEY))
    if (data !== undefined) return { changes: [], answer: data.privateKeyPem }
    // Without the cause, which may contain a part of the key.
    throw new StarlingError(
      'INTERNAL',
      'The stored session key has a format that this version does not support',
    )
  },
}
