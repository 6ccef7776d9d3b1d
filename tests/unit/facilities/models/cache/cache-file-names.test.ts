import test from 'brittle'
import { recordFileName } from '../../../../../facilities/models/cache/cache-file-names.js'

test('should be recognisable and safe when a file name is made', (t) => {
  const names = ['Qwen3-0.6B-Q4_K_M', 'a b\\c:d', '..', '模型', '.hidden', 'n'.repeat(300)].map(
    (name) => recordFileName(`/models/${name}`),
  )
  const shown = ['Qwen3-0.6B-Q4_K_M', 'a-b-c-d', 'model', 'model', 'hidden', 'n'.repeat(80)]
  for (const [index, name] of names.entries()) {
    t.ok(/^[\w.-]+$/.test(name), name)
    t.is(name.replace(/-[0-9a-f]{12}\.elsewhere$/, ''), shown[index])
  }
})

test('should be another when the path is another', (t) => {
  t.not(recordFileName('/models/one/x.gguf'), recordFileName('/models/two/x.gguf'))
})
