import type { AttackResult } from './attacks/attack-results.js'
import type { Result, Spread } from './measure.js'

/** The Markdown table of all comparisons. */
export function comparisonTable(results: readonly Result[]): string {
  const lines = results.map((result) => {
    const { what, against, goal, compare, baseline, starling, comparison } = result
    const sign = compare === 'difference' && comparison.median >= 0 ? '+' : ''
    const unit = compare === 'ratio' ? '' : ` ${result.unit}`
    const compared = against === '' ? '' : `${number(baseline.median)} ${result.unit}`
    return (
      `| ${what} | ${against} | ${compared} | ${number(starling.median)} ${result.unit} | ` +
      `**${sign}${number(comparison.median)}${unit}** (${range(comparison)}) | ${goal} |`
    )
  })
  return [
    '| what | compared with | baseline | Starling | comparison (min to max) | goal |',
    '|---|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n')
}

/** The Markdown table of all attacks, with further measurements below it. */
export function attackTable(results: readonly AttackResult[]): string {
  const notes = results.map(({ what, attack }) => `- ${nameOf(what)}: ${attack.notes.join('; ')}.`)
  return [
    'The attacker is a separate process, but shares the cores with the workers and the regular clients.',
    '',
    '| attack | measured | without attack | under attack | ratio (min to max) | first answer without attack | first answer under attack | failed | at least 0.5 |',
    '|---|---|---|---|---|---|---|---|---|',
    ...results.map(attackRow),
    '',
    ...notes,
    '',
  ].join('\n')
}

function attackRow({ what, unit, baseline, starling, comparison, attack }: AttackResult): string {
  const { firstAnswerMs, failures, recovered, meetsGoal } = attack
  const failed = Object.entries(failures.attacked).map(([code, count]) => `${count} ${code}`)
  const cells = [
    nameOf(what),
    unit,
    baseline.median.toFixed(1),
    starling.median.toFixed(1),
    `**${comparison.median.toFixed(2)}** (${range(comparison)})`,
    delay(firstAnswerMs.unattacked),
    delay(firstAnswerMs.attacked),
    failed.join(', ') || '0',
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

function range({ min, max }: Spread): string {
  return `${number(min)} to ${number(max)}`
}

function number(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2)
}
