import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileOf, setKey, syntheticDraft, text } from '../../tests/helpers/gguf/gguf-scene.js'
import type { MeshSettings } from './attack.js'

/** The name that the model is asked for by. */
export const HOSTILE_MODEL = 'hostile'

/** A chat template that goes on for hours. */
const ENDLESS = `${'{% for i in range(9999) %}'.repeat(4)}${'{% endfor %}'.repeat(4)}`

/** A processor that offers a model whose chat template does not end, beside the default model. */
export async function withHostileModel(home: string): Promise<MeshSettings> {
  const path = join(home, 'hostile.gguf')
  const template = text(ENDLESS)
  await writeFile(path, fileOf(setKey(syntheticDraft(), 'tokenizer.chat_template', template)))
  const models = ['minimind2-small', `${HOSTILE_MODEL}=${path}`]
  return { settings: { STARLING_PROCESSOR__MODELS: JSON.stringify(models) } }
}
