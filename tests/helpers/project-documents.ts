import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The repository. */
export const PROJECT_ROOT = join(import.meta.dirname, '..', '..')

/** The text of a file of the repository. */
export async function readProjectFile(path: string): Promise<string> {
  return await readFile(join(PROJECT_ROOT, path), 'utf8')
}

/** The rows of all tables in a Markdown text that begin with a name in backticks: name, other cells. */
export function tableRows(markdown: string): [name: string, ...cells: string[]][] {
  return markdown.split('\n').flatMap((line): [string, ...string[]][] => {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    const name = /^`([^`]+)`$/.exec(cells[0] ?? '')?.[1]
    return name === undefined ? [] : [[name, ...cells.slice(1)]]
  })
}
