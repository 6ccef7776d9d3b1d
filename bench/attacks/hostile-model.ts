import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileOf, setKey, syntheticDraft, text } from '../../tests/helpers/gguf/gguf-scene.js'
import type { MeshSettings } from './attack.js'

/** The name of the model. */
export const HOSTILE_MODEL = 'hostile'

/** A chat template that would run for hours. */
const ENDLESS = `${'{% for i in range(9999) %}'.repeat(4)}${'{% endfor %}'.repeat(4)}`

/** A processor with the default model and a model whose chat template does not end. */
export async function withHostileModel(home: string): Promise<MeshSettings> {
  const path = join(home, 'hostile.gguf')
  const template = text(ENDLESS)
  await writeFile(path, fileOf(setKey(syntheticDraft(), 'tokenizer.chat_template', template)))
  const models = ['minimind2-small', `${HOSTILE_MODEL}=${path}`]
  return { settings: { STARLING_PROCESSOR__MODELS: JSON.stringify(models) } }
}
