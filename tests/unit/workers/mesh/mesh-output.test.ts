import { WriteStream } from 'node:tty'
import test from 'brittle'
import { createStubInstance } from 'sinon'
import { MeshOutput } from '../../../../workers/mesh/mesh-output.js'

/** What a terminal shows, or a file holds. */
function scene(isTTY: boolean) {
  const output = createStubInstance(WriteStream)
  output.isTTY = isTTY
  const screen = { lines: [''], cleared: 0 }
  output.clearLine.callsFake(() => {
    screen.lines[screen.lines.length - 1] = ''
    screen.cleared += 1
    return true
  })
  output.cursorTo.returns(true)
  output.write.callsFake((text) => {
    const [first = '', ...more] = String(text).split('\n')
    screen.lines[screen.lines.length - 1] += first
    screen.lines.push(...more)
    return true
  })
  return { progress: new MeshOutput(output), screen }
}

test('should update one line when it is shown at a terminal', (t) => {
  const { progress, screen } = scene(true)
  progress.show('processor', 'converting', 0)
  t.alike(screen.lines, ['processor: converting … 0 %'])
  progress.show('processor', 'converting', 0.509)
  t.alike(screen.lines, ['processor: converting … 50 %'])
  progress.show('processor-2', 'loading', 1)
  t.alike(screen.lines, ['processor-2: loading … 100 %'])
  progress.end()
  t.alike(screen.lines, [''])
})

test('should show no more progress when the start has ended', (t) => {
  for (const isTTY of [true, false]) {
    const { progress, screen } = scene(isTTY)
    progress.end()
    progress.show('processor', 'converting', 0)
    t.alike(screen.lines, [''])
    progress.note('the gateway ended')
    t.alike(screen.lines, ['the gateway ended', ''])
  }
})

test('should write a line for each new activity when there is no terminal', (t) => {
  const { progress, screen } = scene(false)
  progress.show('processor', 'converting', 0)
  progress.show('processor', 'converting', 0.5)
  progress.show('processor-2', 'converting', 0.5)
  progress.show('processor', 'loading', 0)
  progress.show('processor', 'loading', 1)
  progress.end()
  t.alike(screen.lines, [
    'processor: converting …',
    'processor-2: converting …',
    'processor: loading …',
    '',
  ])
  t.is(screen.cleared, 0, 'no escape sequences in a file')
})

test('should leave a note in place when the line above it changes', (t) => {
  const { progress, screen } = scene(true)
  progress.show('processor', 'converting', 0.5)
  progress.note('the gateway ended')
  progress.show('processor', 'converting', 0.6)
  t.alike(screen.lines, ['the gateway ended', 'processor: converting … 60 %'])
  const file = scene(false)
  file.progress.note('the gateway ended')
  t.alike(file.screen.lines, ['the gateway ended', ''])
})

test('should let the owner of the terminal show notices when there is one', (t) => {
  const { progress, screen } = scene(true)
  const shown: string[] = []
  let isThere = true
  progress.noteBy((text) => isThere && shown.push(text) > 0)
  progress.note('the gateway ended')
  isThere = false
  progress.note('the gateway serves again')
  t.alike(shown, ['the gateway ended'])
  t.alike(screen.lines, ['the gateway serves again', ''])
})
