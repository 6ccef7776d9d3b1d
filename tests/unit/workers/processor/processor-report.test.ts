import test from 'brittle'
import { createLog } from '../../../../facilities/log/log.js'
import {
  type ParentMessage,
  parentMessageSchema,
} from '../../../../facilities/process/parent-channel.js'
import { reportPreparation } from '../../../../workers/processor/processor-report.js'

function scene() {
  const [told, logged]: [ParentMessage[], unknown[]] = [[], []]
  const output = { write: (line: string) => void logged.push(JSON.parse(line)) }
  const log = createLog({ name: 'processor', level: 'info', json: true, output })
  const report = reportPreparation(log, (message) => void told.push(message))
  return { report, told, lines: () => logged.map((line) => Object(line).msg), logged }
}

test('should describe in plain words what happens to which model', (t) => {
  const { report, told } = scene()
  for (const phase of ['inspecting', 'verifying', 'fetching', 'converting', 'writing']) {
    report({ phase, fraction: 0.5 }, 'small')
  }
  report({ phase: 'ready', fraction: 1 }, 'small')
  report({ phase: 'loading', fraction: 0.5 }, 'small')
  t.alike(
    told.map((message) => Object(message).activity),
    [
      'preparing small (reading its header)',
      'preparing small (checking its files)',
      'preparing small (downloading)',
      'preparing small (converting)',
      'preparing small (writing to disk)',
      'loading small into memory',
    ],
  )
  t.ok(told.every((message) => Object(message).fraction === 0.5))
})

test('should write one log line for each step, and the notices', (t) => {
  const { report, lines, logged } = scene()
  for (const fraction of [0, 0.5, 1]) report({ phase: 'fetching', fraction }, 'small')
  report({ phase: 'fetching', fraction: 1, note: 'begun anew' }, 'small')
  report({ phase: 'fetching', fraction: 0 }, 'large')
  report({ phase: 'loading', fraction: 0 }, 'small')
  t.alike(lines(), [
    'preparing small (downloading)',
    'preparing small (downloading)',
    'preparing large (downloading)',
    'loading small into memory',
  ])
  t.is(Object(logged[1]).note, 'begun anew')
})

test('should send the parent no message that it would not accept', (t) => {
  const { report, told } = scene()
  report({ phase: 'waiting', fraction: 1.5 }, 'x'.repeat(200))
  t.ok(parentMessageSchema.safeParse(told[0]).success)
})
