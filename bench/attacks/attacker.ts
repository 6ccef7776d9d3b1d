import { once } from 'node:events'
import { attackerMessageSchema, targetSchema } from './attacker-messages.js'
import { ATTACKERS } from './attackers/attackers.js'

/** No attacker outlives this, whatever becomes of the benchmark. */
const MAX_LIFE_MS = 180_000

const attack = ATTACKERS[process.argv[2] ?? '']
if (attack === undefined) throw new Error(`There is no attacker ${process.argv[2]}`)

// Ctrl-C is for the benchmark, which ends this process.
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit())
setTimeout(() => process.exit(1), MAX_LIFE_MS).unref()

const [target] = await once(process, 'message')
const attacker = await attack(targetSchema.parse(target))
const prepared = process.cpuUsage()
process.on('message', (order) => {
  const [act, kind] =
    order === 'start'
      ? ([() => attacker.start(), 'started'] as const)
      : ([() => attacker.stop(), 'stopped'] as const)
  act().then(
    () => say(kind),
    (error) => {
      process.stderr.write(`attacker ${process.argv[2]}: ${error}\n`)
      process.exit(1)
    },
  )
})
say('ready')

function say(kind: 'ready' | 'started' | 'stopped'): void {
  const figures = { ...attacker.figures(), 's of processor time': cpuSeconds() }
  process.send?.(attackerMessageSchema.parse({ kind, figures }))
}

/** What the attack has computed so far: the cores are shared with those that it attacks. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage(prepared)
  return (user + system) / 1_000_000
}
