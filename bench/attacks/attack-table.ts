import type { AttackResult } from './attack-results.js'

const HEAD = [
  'The attacker is a process of its own, but it shares the cores with the workers and the honest members.',
  '',
  '| attack | honest members | usual | attacked | kept (min to max) | first answer, usual | attacked | failed | at least 0.5 |',
  '|---|---|---|---|---|---|---|---|---|',
]

/** The table of all attacks, with what else was measured below it. */
export function attackTable(results: readonly AttackResult[]): string {
  const notes = results.map(({ what, attack }) => `- ${nameOf(what)}: ${attack.notes.join('; ')}.`)
  return [...HEAD, ...results.map(rowOf), '', ...notes, ''].join('\n')
}

function rowOf({ what, unit, raw, ours, figure, attack }: AttackResult): string {
  const { firstAnswerMs, failures, recovered, meetsGoal } = attack
  const cells = [
    nameOf(what),
    unit,
    raw.median.toFixed(1),
    ours.median.toFixed(1),
    `**${figure.median.toFixed(2)}** (${figure.min.toFixed(2)} to ${figure.max.toFixed(2)})`,
    delay(firstAnswerMs.unattacked),
    delay(firstAnswerMs.attacked),
    failed(failures.attacked),
    meetsGoal ? 'yes' : recovered ? 'no' : 'no, and it did not recover',
  ]
  return `| ${cells.join(' | ')} |`
}

function nameOf(what: string): string {
  return what.replace(/^attack: /, '')
}

function delay(ms: number | null): string {
  return ms === null ? 'none' : `${ms.toFixed(0)} ms`
}

function failed(failures: Readonly<Record<string, number>>): string {
  const codes = Object.entries(failures).map(([code, count]) => `${count} ${code}`)
  return codes.length === 0 ? '0' : codes.join(', ')
}
