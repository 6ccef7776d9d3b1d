// Preloaded into a worker (node --import): loads what an auth worker needs, most of its startup time, and
// then waits for a line on standard input. So the next worker is warm while one serves.
import { once } from 'node:events'

await import('../../../facilities/worker/worker-watch.js')
await import('../../../facilities/network/mesh-network.js')
await import('../../../facilities/store/open-store.js')
await import('../../../facilities/store/local-records.js')
await import('../../../workers/auth/auth-worker.js')
await import('../../../workers/auth/passwords.js')
await import('../../../config/flags.js')
await import('../../../facilities/cli/command-line.js')
await once(process.stdin, 'data')
process.stdin.destroy()
