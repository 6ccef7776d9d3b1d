import { ANSWER_OPTIONS } from '../answer-options.js'
import type { Comparison } from '../measure.js'
import { spawnMesh } from './spawned-mesh.js'

/** How soon a processor that was killed and started again is given work. */
export async function restartRows(): Promise<{ rows: Comparison[]; close(): Promise<void> }> {
  const mesh = await spawnMesh()
  const never = new AbortController().signal
  const answer = async () => {
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    const options = { ...ANSWER_OPTIONS, maxTokens: 1 }
    for await (const _token of mesh.client.ask({ messages, options }, never)) {
      // One token is proof enough.
    }
  }
  return {
    rows: [
      {
        what: 'a restarted processor, from its model loaded to its first answer',
        against: '',
        unit: 'ms',
        goal: 'under 1000 ms',
        compare: 'absolute',
        raw: async () => 0,
        ours: async () => {
          await mesh.restartProcessor()
          const startedAt = performance.now()
          await answer()
          return performance.now() - startedAt
        },
      },
    ],
    close: () => mesh.close(),
  }
}
