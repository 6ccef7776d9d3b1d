import { statSync } from 'node:fs'
import { residentMebibytes } from '../engine/resident-memory.js'
import type { AttackContext, PreparedAttack } from './attack.js'
import { AttackerProcess } from './attacker-process.js'
import type { AttackerName } from './attackers/attackers.js'

const MEMORY_INTERVAL_MS = 500

/** Prepares an attack by an attacker process, with the operation of the regular clients. */
export async function prepareAttack(
  attacker: AttackerName,
  context: AttackContext,
  operation: PreparedAttack['operation'],
  options: Partial<Pick<PreparedAttack, 'atOnce' | 'phaseMs' | 'notes'>> = {},
): Promise<PreparedAttack> {
  const { home, bootstrapPort } = context.mesh
  const process = await AttackerProcess.open(attacker, { home, bootstrapPort })
  context.cleanup(() => process.close())
  return {
    ...options,
    operation,
    start: () => process.start(),
    stop: () => process.stop(),
    notes: () => [describe(process.counts), ...(options.notes?.() ?? [])],
  }
}

function describe(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([name, count]) => `${Math.round(count)} ${name}`)
  return `the attacker counted ${parts.join(', ') || 'nothing'}`
}

/** Watches how much memory the gateway uses. */
export function memoryWatch({ mesh, cleanup }: AttackContext): { notes(): string[] } {
  const gateway = mesh.processId('gateway')
  let before: number | undefined
  let most = 0
  const timer = setInterval(async () => {
    const mebibytes = Math.round(await residentMebibytes(gateway))
    before ??= mebibytes
    most = Math.max(most, mebibytes)
  }, MEMORY_INTERVAL_MS)
  cleanup(async () => clearInterval(timer))
  return {
    notes: () => [`the gateway used ${before ?? 0} MiB before the attack and at most ${most} MiB`],
  }
}

/** Watches how much the gateway writes to its log. */
export function logWatch({ mesh }: AttackContext): { notes(): string[] } {
  const kibibytes = () => Math.round(statSync(mesh.logFile('gateway')).size / 1024)
  const before = kibibytes()
  return { notes: () => [`the gateway wrote ${kibibytes() - before} KiB of log`] }
}
