import { invalidModel, quoted } from './invalid-model.js'
import type { GgufMetadataValue, GgufNumbers, GgufStrings } from './metadata-decoding.js'

/** The range of a number. */
export interface NumberRange {
  readonly min: number
  readonly max: number
}

/**
 * The keys of a header, read as llama.cpp reads them: each has one type, and a key with another type is
 * refused by name. All methods throw StarlingError MODEL_INVALID.
 */
export class MetadataReader {
  readonly #metadata: ReadonlyMap<string, GgufMetadataValue>

  constructor(metadata: ReadonlyMap<string, GgufMetadataValue>) {
    this.#metadata = metadata
  }

  has(key: string): boolean {
    return this.#metadata.has(key)
  }

  /** A uint32 in a range; undefined when the key is missing. */
  whole(key: string, range: NumberRange): number | undefined {
    const value = this.#metadata.get(key)
    if (value === undefined) return undefined
    if (value.type !== 'number' || value.numberType !== 'uint32') throw wrongType(key, 'a uint32')
    return inRange(key, Number(value.value), range)
  }

  /** Like {@link whole}, and refused when it is missing. */
  requiredWhole(key: string, range: NumberRange): number {
    return required(key, this.whole(key, range))
  }

  /**
   * A uint32 for all layers, or a list with one whole number for each.
   *
   * @returns one for each layer; undefined when the key is missing
   */
  perLayer(key: string, layers: number, range: NumberRange): readonly number[] | undefined {
    const value = this.#metadata.get(key)
    if (value?.type !== 'numbers') {
      const same = this.whole(key, range)
      return same === undefined ? undefined : new Array<number>(layers).fill(same)
    }
    if (value.itemType !== 'uint32' && value.itemType !== 'int32') {
      throw wrongType(key, 'a uint32 or a list of them')
    }
    if (value.length !== layers) {
      throw invalidModel(
        `has ${value.length} items in ${quoted(key)}, but ${layers} layers: one is needed for each`,
      )
    }
    return Array.from({ length: layers }, (_, layer) => inRange(key, value.at(layer), range))
  }

  /** A float32 that is finite and in a range, both ends included; undefined when it is missing. */
  real(key: string, { min, max }: NumberRange): number | undefined {
    const value = this.#metadata.get(key)
    if (value === undefined) return undefined
    if (value.type !== 'number' || value.numberType !== 'float32') throw wrongType(key, 'a float32')
    const number = Number(value.value)
    if (!(number >= min && number <= max)) {
      throw invalidModel(`has ${quoted(key)} at ${number}, which is not within ${min} to ${max}`)
    }
    return number
  }

  bool(key: string): boolean | undefined {
    const value = this.#metadata.get(key)
    if (value === undefined) return undefined
    if (value.type !== 'bool') throw wrongType(key, 'a bool')
    return value.value
  }

  text(key: string): string | undefined {
    const value = this.#metadata.get(key)
    if (value === undefined) return undefined
    if (value.type !== 'string') throw wrongType(key, 'a text')
    return value.value
  }

  requiredText(key: string): string {
    return required(key, this.text(key))
  }

  texts(key: string): GgufStrings | undefined {
    const value = this.#metadata.get(key)
    if (value === undefined) return undefined
    if (value.type !== 'strings') throw wrongType(key, 'a list of texts')
    return value
  }

  requiredTexts(key: string): GgufStrings {
    return required(key, this.texts(key))
  }

  /** A list of numbers of one of the given types. */
  numbers(key: string, ...types: readonly GgufNumbers['itemType'][]): GgufNumbers | undefined {
    const value = this.#metadata.get(key)
    if (value === undefined) return undefined
    if (value.type !== 'numbers' || !types.includes(value.itemType)) {
      throw wrongType(key, `a list of ${types.join(' or ')}`)
    }
    return value
  }
}

function required<Value>(key: string, value: Value | undefined): Value {
  if (value === undefined) throw invalidModel(`has no ${quoted(key)}, which llama.cpp needs`)
  return value
}

function inRange(key: string, value: number, { min, max }: NumberRange): number {
  if (value >= min && value <= max) return value
  throw invalidModel(`has ${quoted(key)} at ${value}, which is not within ${min} to ${max}`)
}

function wrongType(key: string, expected: string) {
  return invalidModel(`has ${quoted(key)}, which is not ${expected}`)
}
