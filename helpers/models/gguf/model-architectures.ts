/**
 * The architectures that the llama.cpp of node-llama-cpp 3.22.1 runs as independent models, by their
 * names in its code: what they need is known. Others are left to llama.cpp.
 */
const ARCHITECTURES: ReadonlySet<string> = new Set(
  `llama llama4 deci falcon grok gpt2 gptneox mpt baichuan starcoder refact bert modern-bert
  nomic-bert nomic-bert-moe neo-bert jina-bert-v2 jina-bert-v3 eurobert bloom stablelm qwen qwen2
  qwen2moe qwen2vl qwen3 qwen3moe qwen3next qwen3vl qwen3vlmoe qwen35 qwen35moe qwen4exp phi2 phi3
  phimoe plamo plamo2 plamo3 codeshell orion internlm2 minicpm minicpm3 gemma gemma2 gemma3 gemma3n
  gemma4 gemma-embedding starcoder2 mamba mamba2 maple jamba falcon-h1 xverse command-r cohere2
  cohere2moe dbrx olmo olmo2 olmoe muse-glimmer openelm arctic deepseek deepseek2 deepseek2-ocr
  deepseek32 deepseek4 chatglm glm4 glm4moe glm-dsa bitnet t5 t5encoder jais jais2 nemotron
  nemotron_h nemotron_h_moe exaone exaone4 exaone-moe rwkv6 rwkv6qwen2 rwkv7 arwkv7 granite
  granitemoe granitehybrid graniteswitch granite_swa chameleon plm bailingmoe bailingmoe2
  bailingmoe3 dots1 dots3note arcee afmoe laguna ernie4_5 ernie4_5-moe hunyuan-moe hunyuan-dense
  hunyuan_vl hy_v3 hy_v4 smollm3 gpt-oss lfm2 lfm2moe dream smallthinker llada llada-moe seed_oss
  grovemoe apertus minimax-01 hrm_text minimax-m2 minimax-m3 cogvlm rnd1 pangu-embedded mistral3
  mistral4 paddleocr mimo2 step35 spark2_5 llama-embed maincoder kimi-linear kimi-k3 talkie mellum
  nanbeige`.split(/\s+/),
)

/** Architectures of auxiliary models: projectors, draft models and audio decoders. */
const PARTS_OF_OTHERS: ReadonlySet<string> = new Set(
  'clip eagle3 dflash gemma4-assistant wavtokenizer-dec qwen3tts pockettts'.split(' '),
)

/** The form of an architecture's name. */
const NAME = /^[\w.-]{1,64}$/

/** Architectures without attention, and so without heads. */
const ATTENTION_FREE: ReadonlySet<string> = new Set(
  'mamba mamba2 rwkv6 rwkv6qwen2 rwkv7 arwkv7'.split(' '),
)

/** Whether the requirements of llama.cpp for this architecture are known. */
export function isKnownArchitecture(name: string): boolean {
  return ARCHITECTURES.has(name)
}

/** Whether models of this architecture can answer or embed on their own. */
export function mayBeModel(name: string): boolean {
  return NAME.test(name) && !PARTS_OF_OTHERS.has(name)
}

/** Whether models of this architecture have attention, with heads and a cache of keys and values. */
export function hasAttention(architecture: string): boolean {
  return !ATTENTION_FREE.has(architecture)
}
