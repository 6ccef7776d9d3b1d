import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { ask, loadRuntime } from '../../../../helpers/engine/loaded-runtime.js'
import { fileOf, setKey, syntheticDraft, text } from '../../../../helpers/gguf/gguf-scene.js'

/** Goes on for hours, and takes no memory. */
const ENDLESS = `${'{% for i in range(9999) %}'.repeat(4)}${'{% endfor %}'.repeat(4)}`
const PLAIN = '{% for message in messages %}{{ message.content }}{% endfor %}'

async function modelWith(t: Test, template: string): Promise<string> {
  const path = join(await t.tmp(), 'model.gguf')
  await writeFile(path, fileOf(setKey(syntheticDraft(), 'tokenizer.chat_template', text(template))))
  return path
}

test('should refuse a model with MODEL_INVALID when its chat template does not come to an end', async (t) => {
  const modelPath = await modelWith(t, ENDLESS)
  await t.exception(loadRuntime(t, { modelPath, templateTimeoutMs: 200 }), {
    code: 'MODEL_INVALID',
    message: /chat template cannot be used: with 1 messages it did not finish/,
  })
})

test('should refuse one conversation with INVALID_REQUEST, and go on, when the template ends with all others', async (t) => {
  const template = `{% if messages | length == 7 %}${ENDLESS}{% endif %}${PLAIN}`
  const modelPath = await modelWith(t, template)
  const runtime = await loadRuntime(t, { modelPath, templateTimeoutMs: 200 })
  const said = (count: number) =>
    Array.from({ length: count }, () => ({ role: 'user' as const, content: 'ab' }))
  await t.exception(ask(runtime, said(7), { maxTokens: 1 }), {
    code: 'INVALID_REQUEST',
    message: /did not finish within 200 ms/,
  })
  t.is((await ask(runtime, said(6), { maxTokens: 2 })).end.completionTokens, 2)
})

test('should load a model whose chat template refuses some conversations', async (t) => {
  const template = `{% if messages | length > 1 %}{{ raise_exception('too many') }}{% endif %}${PLAIN}`
  const runtime = await loadRuntime(t, { modelPath: await modelWith(t, template) })
  t.is((await ask(runtime, 'ab', { maxTokens: 2 })).end.completionTokens, 2)
})
