import type { Hyperparameters } from './hyperparameters.js'
import { invalidModel, quoted } from './invalid-model.js'
import type { MetadataReader } from './metadata-reader.js'

/** What some architectures need in addition, without which llama.cpp ends the process. */
interface Rule {
  readonly architectures: ReadonlySet<string>
  readonly check: (keys: MetadataReader, architecture: string, numbers: Hyperparameters) => void
}

const RULES: readonly Rule[] = [
  {
    architectures: named('smallthinker llada-moe grovemoe bailingmoe2 glm4moe'),
    check: hasExperts,
  },
  { architectures: named('deepseek2 deepseek32 glm-dsa mistral4'), check: keysBeyondRope },
  { architectures: named('paddleocr qwen2vl qwen3vl qwen3vlmoe'), check: hasRopeSections },
  { architectures: named('jamba granitehybrid'), check: isHybrid },
]

/** @throws StarlingError MODEL_INVALID when the file lacks what its architecture needs */
export function checkArchitecture(
  keys: MetadataReader,
  architecture: string,
  numbers: Hyperparameters,
): void {
  for (const rule of RULES) {
    if (rule.architectures.has(architecture)) rule.check(keys, architecture, numbers)
  }
}

function hasExperts(
  _keys: MetadataReader,
  architecture: string,
  { experts }: Hyperparameters,
): void {
  if (experts === 0) {
    throw invalidModel(`has no ${quoted(`${architecture}.expert_count`)}, which llama.cpp needs`)
  }
}

/** Only a part of each key is rotated. */
function keysBeyondRope(
  keys: MetadataReader,
  architecture: string,
  numbers: Hyperparameters,
): void {
  const mla = keys.whole(`${architecture}.attention.key_length_mla`, { min: 1, max: 65_536 })
  const keyLength = mla ?? numbers.keyLength
  if (keyLength <= numbers.ropeDimensions) {
    throw invalidModel(
      `has ${quoted(`${architecture}.rope.dimension_count`)} at ${numbers.ropeDimensions}, which ` +
        `leaves nothing of a key of ${keyLength} numbers`,
    )
  }
}

/** For time, height and width. */
function hasRopeSections(keys: MetadataReader, architecture: string): void {
  const key = `${architecture}.rope.dimension_sections`
  const sections = keys.numbers(key, 'int32', 'uint32')
  const isAny = [0, 1, 2].some((index) => (sections?.at(index) ?? 0) > 0)
  if (!isAny) throw invalidModel(`has no ${quoted(key)}, which llama.cpp needs`)
}

/** Some layers have no attention: those with 0 heads for keys and values. */
function isHybrid(
  _keys: MetadataReader,
  architecture: string,
  { headCountsKv }: Hyperparameters,
): void {
  if (headCountsKv.some((heads) => heads > 0) && headCountsKv.includes(0)) return
  throw invalidModel(
    `has ${quoted(`${architecture}.attention.head_count_kv`)} equal in all layers; ` +
      'llama.cpp needs both layers with and without attention',
  )
}

function named(names: string): ReadonlySet<string> {
  return new Set(names.split(' '))
}
