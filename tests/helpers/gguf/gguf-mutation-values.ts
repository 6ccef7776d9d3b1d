import { SeededRandom } from '../seeded-random.js'

/** Draws random values from a seed. */
export class Draw extends SeededRandom {
  of<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('there is nothing to draw from')
    return item
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }
}

const WHOLE_NUMBERS = [
  0, 1, 2, 3, 7, 15, 16, 31, 32, 33, 48, 64, 100, 128, 255, 256, 257, 511, 512, 513, 1024, 4096,
  65_535, 65_536, 1_048_576, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff,
]

export const LARGE_NUMBERS = [
  0n,
  1n,
  2n,
  3n,
  5n,
  31n,
  32n,
  33n,
  64n,
  255n,
  1024n,
  65_536n,
  1n << 20n,
  (1n << 31n) - 1n,
  1n << 31n,
  1n << 32n,
  (1n << 53n) + 1n,
  1n << 62n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
]

export const REAL_NUMBERS = [
  0,
  -0,
  -1,
  1,
  0.5,
  1e-45,
  1e-12,
  1e-5,
  2,
  100,
  1e6,
  1e10,
  3.4e38,
  -3.4e38,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
]

export const ARCHITECTURES = [
  ...`llama llama4 deci falcon gpt2 gptneox mpt baichuan starcoder bert nomic-bert jina-bert-v2
  modern-bert bloom stablelm qwen qwen2 qwen2moe qwen2vl qwen3 qwen3moe qwen3next phi2 phi3
  plamo orion internlm2 minicpm gemma gemma2 gemma3 gemma3n gemma-embedding starcoder2 mamba
  mamba2 jamba falcon-h1 command-r cohere2 dbrx olmo olmo2 olmoe openelm deepseek deepseek2
  chatglm glm4 glm4moe t5 t5encoder jais nemotron exaone rwkv6 rwkv7 granite granitemoe
  granitehybrid chameleon bailingmoe arcee ernie4_5 hunyuan-dense smollm3 gpt-oss lfm2
  smallthinker apertus mistral3 clip eagle3 Llama no-such-thing`.split(/\s+/),
  'llama\0',
]

export const TOKENIZERS = [
  ...'llama gpt2 bert t5 rwkv plamo2 gemma4 hybriddna whitespace none no_vocab no-such-thing'.split(
    ' ',
  ),
  '',
]

export const PRE_TOKENIZERS = 'default llama-bpe qwen2 gpt-2 falcon gemma4 kimi-k2 x'.split(' ')

/** Optional keys that llama.cpp reads; `A` stands for the architecture. */
export const ADDED_WHOLE =
  `A.expert_count A.expert_used_count A.expert_group_count A.expert_group_used_count
  A.nextn_predict_layers A.attention.head_count_kv A.attention.key_length
  A.attention.value_length A.rope.dimension_count A.attention.key_length_swa
  A.attention.value_length_swa A.rope.dimension_count_swa A.attention.sliding_window
  A.embedding_length_out A.pooling_type A.rope.scaling.original_context_length A.vocab_size
  A.leading_dense_block_count A.full_attention_interval general.file_type
  general.quantization_version general.alignment split.count tokenizer.ggml.token_type_count
  tokenizer.ggml.bos_token_id tokenizer.ggml.eos_token_id tokenizer.ggml.eot_token_id
  tokenizer.ggml.unknown_token_id tokenizer.ggml.padding_token_id tokenizer.ggml.mask_token_id
  tokenizer.ggml.seperator_token_id tokenizer.ggml.fim_pre_token_id`.split(/\s+/)

export const ADDED_REAL =
  `A.rope.freq_base A.rope.scaling.factor A.rope.scale_linear A.rope.scaling.attn_factor
  A.attention.layer_norm_epsilon A.attention.layer_norm_rms_epsilon A.attention.scale
  A.attention.max_alibi_bias A.attention.clamp_kqv A.logit_scale A.rope.freq_base_swa
  A.final_logit_softcapping A.attn_logit_softcapping A.residual_scale A.embedding_scale`.split(
    /\s+/,
  )

export const ADDED_BOOL = `A.attention.causal A.rope.scaling.finetuned tokenizer.ggml.add_bos_token
  tokenizer.ggml.add_eos_token tokenizer.ggml.add_space_prefix tokenizer.ggml.add_sep_token
  tokenizer.ggml.remove_extra_whitespaces A.use_parallel_residual`.split(/\s+/)

export const ADDED_TEXT =
  `A.rope.scaling.type tokenizer.chat_template tokenizer.ggml.pre general.type A.__proto__.x
  __proto__.polluted constructor.prototype.x tokenizer.ggml.model`.split(/\s+/)

export const ADDED_LISTS =
  `A.classifier.output_labels tokenizer.ggml.suppress_tokens tokenizer.ggml.merges
  tokenizer.ggml.scores A.rope.dimension_sections A.attention.sliding_window_pattern
  A.attention.head_count A.attention.head_count_kv A.feed_forward_length
  tokenizer.ggml.precompiled_charsmap A.expert_used_count`.split(/\s+/)

export const TEXTS = [
  '',
  'none',
  'linear',
  'yarn',
  'longrope',
  'su',
  'llama',
  'a\0b',
  '{% for',
  '🙂'.repeat(99),
]

export const TOKENS = [
  '',
  ' ',
  'x',
  '\0',
  '<0x41>',
  '</s>',
  '\n',
  'a  b',
  '<|im_end|>',
  'z'.repeat(5000),
]

export const BAD_UTF8 = [
  [0xff],
  [0xc3, 0x28],
  [0xed, 0xa0, 0x80],
  [0xf8, 0x88, 0x80, 0x80],
  [0x80],
  [0xe2, 0x82],
]

export function wholeNumber(random: Draw, near = 0): number {
  if (random.chance(0.3)) return near + random.of([-1, 1, near, -(near >> 1), 32, -32])
  return random.of(WHOLE_NUMBERS)
}

export function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}

export function nearby(count: bigint, random: Draw): bigint {
  return random.chance(0.4) ? count + random.of([-1n, 1n]) : random.of(LARGE_NUMBERS)
}

export function otherName(name: Uint8Array, random: Draw): Uint8Array {
  const changed = Buffer.from(name)
  const at = random.below(Math.max(changed.length, 1))
  switch (random.below(6)) {
    case 0:
      return Buffer.alloc(0)
    case 1:
      return Buffer.concat([changed, Buffer.from(random.of(['\0', 'x', '\0x', ' ', '.']))])
    case 2:
      return Buffer.concat([changed.subarray(0, at), Buffer.from(random.of(BAD_UTF8))])
    case 3:
      return Buffer.from('n'.repeat(random.of([63, 64, 65, 300])))
    default:
      if (changed.length > 0) changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8))
      return changed
  }
}
