import test from 'brittle'
import { ollamaAddress } from '../../../../../facilities/engine/remote/ollama-models.js'

test('should find Ollama where it listens', (t) => {
  for (const [variable, address] of [
    [undefined, '127.0.0.1:11434'],
    [' ', '127.0.0.1:11434'],
    ['127.0.0.1:4000', '127.0.0.1:4000'],
    ['workstation', 'workstation'],
    [':4000', '127.0.0.1:4000'],
    ['0.0.0.0', '127.0.0.1'],
    ['0.0.0.0:4000', '127.0.0.1:4000'],
    ['http://0.0.0.0:4000/x', 'http://127.0.0.1:4000/x'],
    ['[::]:4000', '127.0.0.1:4000'],
    ['https://0.0.0.0.example.com', 'https://0.0.0.0.example.com'],
  ] as const) {
    t.is(ollamaAddress(variable), address)
  }
})
