import { closeSync, openSync } from 'node:fs'
import test, { type Test } from 'brittle'
import { StepRecord, StepRecorder } from '../../../../../facilities/engine/llama/step-record.js'

function scene(t: Test) {
  const record = new StepRecord()
  t.teardown(() => record.close())
  return { record, recorder: new StepRecorder(record.fd ?? -1) }
}

test('should read the step that was written last, and none when it is done', (t) => {
  const { record, recorder } = scene(t)
  t.is(record.read(), null, 'nothing was written')
  for (const step of ['prompt', 'grammar', 'tokens'] as const) {
    for (const request of [0, 7, 2 ** 40]) {
      recorder.write({ request, step })
      t.alike(record.read(), { request, step })
    }
  }
  recorder.write(null)
  t.is(record.read(), null)
})

test('should do without when nothing can be written', (t) => {
  const fd = openSync('/dev/null', 'r')
  const recorder = new StepRecorder(fd)
  recorder.write({ request: 1, step: 'prompt' })
  recorder.write(null)
  closeSync(fd)
  t.pass('it did not throw')
})
