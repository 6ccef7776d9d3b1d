import test from 'brittle'
import { readinessOf } from '../../../../facilities/worker/worker-health.js'

const away = { code: 'AUTH_UNAVAILABLE', message: 'No auth worker is connected' } as const
const crashed = { code: 'ENGINE_CRASHED', message: 'The engine has crashed' } as const

test('should be ready when nothing is in the way', (t) => {
  t.alike(readinessOf([]), { ready: true, reasons: [], warnings: [] })
})

test('should be ready and warn when a problem does not block work', (t) => {
  const readiness = readinessOf([{ ...crashed, blocks: false }])
  t.alike(readiness, { ready: true, reasons: [], warnings: [crashed] })
})

test('should not be ready and say why when a problem blocks work', (t) => {
  const readiness = readinessOf([
    { ...crashed, blocks: false },
    { ...away, blocks: true },
  ])
  t.alike(readiness, { ready: false, reasons: [away], warnings: [crashed] })
})
