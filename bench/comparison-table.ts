import type { Result, Spread } from './measure.js'

/** The table of all comparisons. */
export function comparisonTable(rows: readonly Result[]): string {
  const lines = rows.map((row) => {
    const sign = row.compare === 'difference' && row.figure.median >= 0 ? '+' : ''
    const unit = row.compare === 'ratio' ? '' : ` ${row.unit}`
    const raw = row.against === '' ? '' : `${number(row.raw.median)} ${row.unit}`
    return (
      `| ${row.what} | ${row.against} | ${raw} | ` +
      `${number(row.ours.median)} ${row.unit} | **${sign}${number(row.figure.median)}${unit}** ` +
      `(${range(row.figure)}) | ${row.goal} |`
    )
  })
  return [
    '| what | against | raw | Starling | Starling against raw (min to max) | goal |',
    '|---|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n')
}

function range({ min, max }: Spread): string {
  return `${number(min)} to ${number(max)}`
}

function number(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2)
}
