import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readDraft, u32 } from '../gguf/gguf-draft.js'
import { fileOf, itemsOf, setKey, text } from '../gguf/gguf-scene.js'
import { SHARED_MODELS_DIRECTORY, TINY_MODEL_PATH } from './tiny-llama.js'

const CLOSING = '</think>'
const USER_DEFINED = 4
const CONTROL = 3

/**
 * The conversation without roles. Like Qwen3's, it opens a thought unless thinking is off, and shows the
 * thoughts of the turns since the last user message only.
 */
const SWITCHABLE = `
{%- set last = namespace(question=0) %}
{%- for message in messages %}
  {%- if message.role == 'user' %}{%- set last.question = loop.index0 %}{%- endif %}
{%- endfor %}
{%- for message in messages %}
  {%- if message.reasoning_content and loop.index0 > last.question %}
    {{- '<think>' + message.reasoning_content + '</think>' }}
  {%- endif %}
  {{- message.content }}
{%- endfor %}
{{- '<think></think>' if enable_thinking is defined and not enable_thinking else '<think>' }}`

/** Like DeepSeek-R1's, it always opens a thought. */
const ALWAYS = `
{%- for message in messages %}{{- message.content }}{%- endfor %}
{{- '<think>' }}`

/** How a {@link thinkingModel} thinks. */
export interface ThinkingModel {
  /** Default: its template lets thinking be turned off. */
  readonly always?: boolean
  /** Whether the mark that ends a thought is a special token, which has no text. Default false. */
  readonly special?: boolean
}

/**
 * The tiny model with a chat template that opens a thought, and with one frequent token, ` to`, called
 * `</think>`: it ends its thought where it would first generate ` to`.
 *
 * @returns the path of its file, safe to share
 */
export async function thinkingModel({ always = false, special = false }: ThinkingModel = {}) {
  const name = `tiny-thinking${always ? '-always' : ''}${special ? '-special' : ''}.gguf`
  const draft = readDraft(await readFile(TINY_MODEL_PATH))
  const tokens = itemsOf(draft, 'tokenizer.ggml.tokens')
  const id = tokens.findIndex((token) => Buffer.from(token).toString() === 'Ġto')
  tokens[id] = Buffer.from(CLOSING)
  itemsOf(draft, 'tokenizer.ggml.token_type')[id] = u32(special ? CONTROL : USER_DEFINED)
  setKey(draft, 'tokenizer.chat_template', text(always ? ALWAYS : SWITCHABLE))
  await mkdir(SHARED_MODELS_DIRECTORY, { recursive: true })
  const path = join(SHARED_MODELS_DIRECTORY, name)
  const partial = `${path}.${process.pid}`
  await writeFile(partial, fileOf(draft))
  // Other tests may be reading it: it is always complete and always the same.
  await rename(partial, path)
  return path
}
