import { once } from 'node:events'
import { attackerMessageSchema, targetSchema } from './attacker-messages.js'
import { ATTACKERS } from './attackers/attackers.js'

/** Ends the process after this time even if the benchmark does not. */
const MAX_LIFE_MS = 180_000

const attack = ATTACKERS[process.argv[2] ?? '']
if (attack === undefined) throw new Error(`Unknown attacker: ${process.argv[2]}`)

// The benchmark handles Ctrl-C and then ends this process.
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit())
setTimeout(() => process.exit(1), MAX_LIFE_MS).unref()

const [target] = await once(process, 'message')
const attacker = await attack(targetSchema.parse(target))
const prepared = process.cpuUsage()
process.on('message', (command) => {
  const [run, kind] =
    command === 'start'
      ? ([() => attacker.start(), 'started'] as const)
      : ([() => attacker.stop(), 'stopped'] as const)
  run().then(
    () => report(kind),
    (error) => {
      process.stderr.write(`attacker ${process.argv[2]}: ${error}\n`)
      process.exit(1)
    },
  )
})
report('ready')

function report(kind: 'ready' | 'started' | 'stopped'): void {
  const counts = { ...attacker.counts(), 's of CPU time': cpuSeconds() }
  process.send?.(attackerMessageSchema.parse({ kind, counts }))
}

/** The CPU time of the attack so far. It shares the cores with the mesh and the regular clients. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage(prepared)
  return (user + system) / 1_000_000
}
