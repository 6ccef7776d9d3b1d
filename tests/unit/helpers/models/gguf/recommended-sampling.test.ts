import test from 'brittle'
import type { DraftValue } from '../../../../helpers/gguf/gguf-draft.js'
import {
  factsOf,
  fileOf,
  real,
  setKey,
  syntheticDraft,
  text,
  whole,
} from '../../../../helpers/gguf/gguf-scene.js'

/** A 32-bit whole number with a sign, as llama.cpp's converter writes them. */
function signed(value: number): DraftValue {
  return { code: 5, bytes: new Uint8Array(Int32Array.of(value).buffer) }
}

/** What a file recommends that has these keys under `general.sampling`. */
function samplingOf(keys: Readonly<Record<string, DraftValue>>) {
  const draft = syntheticDraft()
  for (const [name, value] of Object.entries(keys)) {
    setKey(draft, `general.sampling.${name}`, value)
  }
  return factsOf(fileOf(draft)).sampling
}

test('should be none when the file says nothing', (t) => {
  t.alike(samplingOf({}), {})
})

test('should be what the file says, to the digits that were meant', (t) => {
  const keys = {
    temp: real(0.6),
    top_p: real(0.95),
    top_k: signed(20),
    min_p: real(0),
    penalty_repeat: real(1.05),
    sequence: text('penalties;temperature;top_k;top_p'),
  }
  t.alike(samplingOf(keys), {
    temperature: 0.6,
    topP: 0.95,
    topK: 20,
    minP: 0,
    repeatPenalty: 1.05,
  })
  t.alike(samplingOf({ top_k: whole(40) }), { topK: 40 }, 'however the number is stored')
  t.alike(samplingOf({ top_k: signed(-1) }), { topK: 0 }, 'which llama.cpp takes for all of them')
})

test('should be none where the file says what nobody could ask for', (t) => {
  for (const wrong of [real(Number.NaN), real(-1), real(1e30), text('0.6'), signed(-5)]) {
    t.alike(samplingOf({ temp: wrong, top_p: wrong, min_p: wrong, penalty_repeat: wrong }), {})
  }
  t.alike(samplingOf({ top_k: real(20.5) }), {})
})
