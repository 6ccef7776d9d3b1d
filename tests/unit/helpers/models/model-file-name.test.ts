import test from 'brittle'
import { modelFileName } from '../../../../helpers/models/model-file-name.js'

test('should be recognisable and safe when a file name is made', (t) => {
  const name = (shown: string) => modelFileName(shown, 'identity', '.gguf')
  t.is(name('Qwen3-0.6B-Q4_K_M'), 'Qwen3-0.6B-Q4_K_M-689f6a627384.gguf')
  t.is(name('a b/../c\\d:e'), 'a-b-..-c-d-e-689f6a627384.gguf')
  t.is(name('..'), 'model-689f6a627384.gguf')
  t.is(name('模型'), 'model-689f6a627384.gguf')
  t.is(name('.hidden'), 'hidden-689f6a627384.gguf')
  t.is(name('n'.repeat(300)).length, 80 + 1 + 12 + 5)
})

test('should be another when the identity is another', (t) => {
  t.not(modelFileName('x', 'one', '.gguf'), modelFileName('x', 'two', '.gguf'))
})
