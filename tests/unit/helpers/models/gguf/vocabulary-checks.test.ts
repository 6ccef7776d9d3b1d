import test from 'brittle'
import { isStarlingError } from '../../../../../helpers/errors/starling-error.js'
import { type DraftValue, type GgufDraft, u32, u64 } from '../../../../helpers/gguf/gguf-draft.js'
import {
  factsOf,
  fileOf,
  itemsOf,
  setKey,
  syntheticDraft,
  tensorOf,
  text,
  texts,
  whole,
  wholes,
} from '../../../../helpers/gguf/gguf-scene.js'
import type { SyntheticKind } from '../../../../helpers/gguf/synthetic-gguf.js'

const TOKENS = 'tokenizer.ggml.tokens'
const TYPES = 'tokenizer.ggml.token_type'

function refusal(draft: GgufDraft): string | null {
  try {
    factsOf(fileOf(draft))
    return null
  } catch (error) {
    if (!isStarlingError(error, 'MODEL_INVALID')) throw error
    return error.message
  }
}

function withKey(name: string, value: DraftValue, kind: SyntheticKind = 'llama'): string | null {
  return refusal(setKey(syntheticDraft(kind), `tokenizer.ggml.${name}`, value))
}

test('should refuse tokens that are there twice, as they are or by the name of an empty one', (t) => {
  const draft = syntheticDraft('qwen2')
  itemsOf(draft, TOKENS)[7] = Buffer.from('ab')
  t.ok(refusal(draft)?.includes('token 256 occurs twice'))
  const empty = syntheticDraft('qwen2')
  itemsOf(empty, TOKENS)[7] = Buffer.from('[EMPTY_9]')
  t.is(refusal(empty), null)
  itemsOf(empty, TOKENS)[9] = Buffer.alloc(0)
  t.ok(refusal(empty)?.includes('token 9 occurs twice'))
})

test('should refuse a vocabulary, a token and a chat template beyond all that are known', (t) => {
  const bytes = Buffer.concat([u32(8), u64(1n << 21n), Buffer.alloc(8 << 21)])
  t.ok(withKey('tokens', { code: 9, bytes })?.includes('2097152 tokens'))
  const long = syntheticDraft('qwen2')
  itemsOf(long, TOKENS)[7] = Buffer.alloc(20_000, 'x')
  t.ok(refusal(long)?.includes('token 7'))
  const template = setKey(syntheticDraft(), 'tokenizer.chat_template', text('x'.repeat(2_000_000)))
  t.ok(refusal(template)?.includes('chat template'))
})

test('should take tokens that are no UTF-8 when they differ', (t) => {
  const draft = syntheticDraft('qwen2')
  itemsOf(draft, TOKENS)[7] = Buffer.from([0xff])
  itemsOf(draft, TOKENS)[8] = Buffer.from([0xfe])
  t.is(refusal(draft), null)
})

test('should refuse lists that have not one item for each token', (t) => {
  for (const items of [[], [1], new Array<number>(268).fill(1)]) {
    t.ok(withKey('token_type', wholes(items))?.includes('token_type'))
    t.ok(withKey('scores', wholes(items))?.includes('scores'))
  }
  t.is(withKey('scores', wholes(new Array<number>(267).fill(-1))), null)
  t.ok(withKey('scores', wholes(new Array<number>(267).fill(1), 10))?.includes('scores'))
  t.ok(withKey('token_type', wholes(new Array<number>(267).fill(1), 4))?.includes('token_type'))
})

test('should refuse as many tokens as the embedding has not, or none', (t) => {
  const draft = syntheticDraft('qwen2')
  itemsOf(draft, TOKENS).push(Buffer.from('more'))
  itemsOf(draft, TYPES).push(u32(1))
  t.ok(refusal(draft)?.includes('token_embd.weight'))
  t.is(tensorOf(draft, 'token_embd.weight').dimensions[1], 259n)
  t.ok(withKey('tokens', texts([]))?.includes('no tokens'))
})

test('should refuse kinds of tokens that are not known, and bytes that are none', (t) => {
  const typed = (id: number, type: number, kind: SyntheticKind = 'llama') => {
    const draft = syntheticDraft(kind)
    itemsOf(draft, TYPES)[id] = u32(type)
    return refusal(draft)
  }
  t.ok(typed(5, 7)?.includes('unknown type 7'))
  t.ok(typed(5, -1)?.includes('unknown type -1'))
  t.ok(typed(1, 6)?.includes('has the type of a byte'))
  t.ok(typed(1, 6, 'bert')?.includes('has the type of a byte'))
  t.is(typed(5, 0), null)
})

test('should refuse a vocabulary in which some byte cannot be expressed', (t) => {
  const draft = syntheticDraft()
  itemsOf(draft, TOKENS)[3 + 0x41] = Buffer.from('other')
  itemsOf(draft, TYPES)[3 + 0x41] = u32(1)
  t.ok(refusal(draft)?.includes('<0x41>'))
  itemsOf(draft, TOKENS)[3 + 0x41] = Buffer.from('A')
  t.is(refusal(draft), null, 'the byte itself will do')

  const rwkv = setKey(syntheticDraft(), 'tokenizer.ggml.model', text('rwkv'))
  t.ok(refusal(rwkv)?.includes('<0x00>'), 'but only itself, where there are no others')
  const escaped = new Map([
    ['\t', '\\t'],
    ['\n', '\\n'],
    ['\r', '\\r'],
    ['\\', '\\\\'],
    ["'", "\\'"],
  ])
  const bytes = Array.from({ length: 256 }, (_, byte) => {
    const hexadecimal = `\\x${byte.toString(16).padStart(2, '0')}`
    const shown = String.fromCharCode(byte)
    return escaped.get(shown) ?? (byte < 0x20 || byte >= 0x7f ? hexadecimal : shown)
  })
  const tokens = [...bytes, ...Array.from({ length: 11 }, (_, index) => `word${index}`)]
  setKey(rwkv, TYPES, null)
  t.is(refusal(setKey(rwkv, TOKENS, texts(tokens))), null)
})

test('should refuse special tokens that do not exist', (t) => {
  for (const name of ['bos_token_id', 'eos_token_id', 'padding_token_id', 'fim_sep_token_id']) {
    t.ok(withKey(name, whole(267))?.includes(name))
    t.is(withKey(name, whole(266)), null)
    t.is(withKey(name, whole(0xffff_ffff)), null, 'which says that there is none')
  }
  t.ok(withKey('eos_token_id', text('2'))?.includes('eos_token_id'))
  t.ok(withKey('unknown_token_id', whole(9), 'bert')?.includes('unknown_token_id'))
  t.ok(withKey('unknown_token_id', whole(0xffff_ffff), 'bert')?.includes('unknown_token_id'))
  t.is(withKey('unknown_token_id', whole(0xffff_ffff)), null)
})

test('should refuse merges that are no pairs', (t) => {
  for (const merge of ['', 'ab', ' ab', 'ab ', 'a']) {
    t.ok(withKey('merges', texts(['a b', merge]), 'qwen2')?.includes('merge 1'), `"${merge}"`)
  }
  t.is(withKey('merges', texts(['  b', 'a b c']), 'qwen2'), null)
  t.ok(withKey('merges', wholes([1]), 'qwen2')?.includes('merges'))
  t.is(withKey('merges', texts(['ab'])), null, 'where nobody reads them')
})

test('should refuse switches and texts that are something else', (t) => {
  for (const name of ['add_bos_token', 'add_eos_token', 'add_space_prefix']) {
    t.ok(withKey(name, whole(1))?.includes(name))
  }
  t.ok(withKey('pre', whole(1))?.includes('pre'))
  t.ok(withKey('suppress_tokens', texts(['a']))?.includes('suppress_tokens'))
  t.ok(withKey('model', whole(1))?.includes('model'))
  const template = setKey(syntheticDraft(), 'tokenizer.chat_template', whole(1))
  t.ok(refusal(template)?.includes('chat_template'))
})
