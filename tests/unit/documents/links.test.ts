import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'brittle'
import { PROJECT_ROOT, readProjectFile } from '../../helpers/project-documents.js'

const DOCUMENTS = [
  'README.md',
  'LIMITS.md',
  'bench/README.md',
  'facilities/engine/README.md',
  'facilities/home/README.md',
  'facilities/network/README.md',
  'facilities/process/README.md',
  'facilities/store/README.md',
  'helpers/errors/README.md',
]

test('should link only to files that exist', async (t) => {
  for (const document of DOCUMENTS) {
    const text = await readProjectFile(document)
    for (const [, link = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      t.ok(existsSync(join(PROJECT_ROOT, dirname(document), link)), `${document}: ${link}`)
    }
  }
})

test('should keep the README under 250 lines', async (t) => {
  t.ok((await readProjectFile('README.md')).split('\n').length < 250)
})
