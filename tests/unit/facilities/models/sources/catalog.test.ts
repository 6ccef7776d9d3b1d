import test from 'brittle'
import {
  catalogSampling,
  DEFAULT_MODEL_NAME,
  MODEL_CATALOG,
  MODEL_CONVERTERS,
} from '../../../../../facilities/models/sources/catalog.js'
import { generationOptionsSchema } from '../../../../../helpers/protocol/generation-options.js'

test('should hold the default model when the catalogue is asked', (t) => {
  t.ok(MODEL_CATALOG.some((model) => model.name === DEFAULT_MODEL_NAME))
})

test('should be complete when every entry is looked at', (t) => {
  t.is(new Set(MODEL_CATALOG.map((model) => model.name)).size, MODEL_CATALOG.length)
  for (const model of MODEL_CATALOG) {
    t.ok(MODEL_CONVERTERS.has(model.converter))
    t.ok(model.files.length > 0)
    for (const { sha256 } of [...model.files, model.gguf]) t.ok(/^[0-9a-f]{64}$/.test(sha256))
  }
})

test('should recommend for a file what its entry says, and nobody could not ask for', (t) => {
  for (const { gguf, sampling = {} } of MODEL_CATALOG) {
    t.alike(catalogSampling(gguf.sha256), sampling)
    t.ok(generationOptionsSchema.safeParse(sampling).success)
  }
  t.alike(catalogSampling('0'.repeat(64)), {})
})
