// Asks Penstock for recall from Node.js: kafkajs and MessagePack, nothing of Penstock's own.
//
//   npm ci
//   KAFKA=127.0.0.1:9092 node recall.mjs --user ada -k 5

import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { decode, encode } from '@msgpack/msgpack'
import kafkajs from 'kafkajs'

const { Kafka, Partitioners, logLevel } = kafkajs

/** Asks over Kafka; one client serves any number of calls at a time. */
export class RecallClient {
  #kafka
  #namespace
  #producer
  #consumer
  #partition
  #lanes
  #turn = 0
  #waiting = new Map()

  constructor (brokers, namespace = 'penstock') {
    this.#kafka = new Kafka({ brokers, clientId: 'recall', logLevel: logLevel.ERROR })
    this.#namespace = namespace
  }

  /** Connect, and listen from here on to one partition of the replies. */
  async start () {
    const replies = `${this.#namespace}.recall.replies`
    const admin = this.#kafka.admin()
    await admin.connect()
    const offsets = await admin.fetchTopicOffsets(replies)
    this.#lanes = (await admin.fetchTopicOffsets(`${this.#namespace}.recall.requests`)).length
    await admin.disconnect()
    const own = offsets[Math.floor(Math.random() * offsets.length)]
    this.#partition = own.partition
    this.#producer = this.#kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
    await this.#producer.connect()
    // A group of its own: kafkajs knows no other way to read. What other clients are sent is
    // passed over by the correlation id.
    this.#consumer = this.#kafka.consumer({ groupId: `recall-node-${randomBytes(8).toString('hex')}` })
    await this.#consumer.connect()
    await this.#consumer.subscribe({ topic: replies })
    const joined = new Promise(resolve => this.#consumer.on('consumer.group_join', resolve))
    await this.#consumer.run({
      autoCommit: false,
      eachMessage: async ({ message }) => this.#take(message)
    })
    await joined
    // Where a new group begins is decided at its first fetch, perhaps after the first reply.
    for (const { partition, high } of offsets) {
      this.#consumer.seek({ topic: replies, partition, offset: high })
    }
  }

  async stop () {
    await this.#consumer.disconnect()
    await this.#producer.disconnect()
  }

  /** The reply to a request such as `{ user_id: 'ada', k: 10 }`; see RecallRequest in asyncapi.json. */
  async recall (request, timeoutMs = 1000) {
    const id = randomBytes(16)
    const partition = Buffer.alloc(4)
    partition.writeInt32BE(this.#partition)
    const record = {
      key: id,
      value: Buffer.from(encode(request)),
      headers: {
        kafka_correlationId: id,
        kafka_replyTopic: `${this.#namespace}.recall.replies`,
        kafka_replyPartition: partition,
        'deadline-ms': String(Date.now() + timeoutMs)
      }
    }
    const timers = []
    const reply = new Promise((resolve, reject) => {
      this.#waiting.set(id.toString('hex'), resolve)
      const late = new Error(`a reply must come within ${timeoutMs} ms; none did`)
      timers.push(setTimeout(() => reject(late), timeoutMs))
    })
    // No reply in a quarter of the time: that node may be dead, so another is asked as well.
    const again = () => this.#send(record).catch(() => {})
    timers.push(setTimeout(again, Math.min(200, timeoutMs / 4)))
    try {
      await this.#send(record)
      return await reply
    } finally {
      timers.forEach(clearTimeout)
      this.#waiting.delete(id.toString('hex'))
    }
  }

  async #send (record) {
    const message = { ...record, partition: this.#turn++ % this.#lanes }
    const topic = `${this.#namespace}.recall.requests`
    await this.#producer.send({ topic, acks: 1, messages: [message] })
  }

  #take ({ headers, value }) {
    const settle = this.#waiting.get(headers.kafka_correlationId?.toString('hex'))
    settle?.(decode(value))
  }
}

async function main () {
  const { values } = parseArgs({
    options: {
      user: { type: 'string' },
      item: { type: 'string', multiple: true },
      k: { type: 'string', short: 'k', default: '10' },
      filter: { type: 'string', default: '{}' },
      namespace: { type: 'string', default: 'penstock' }
    }
  })
  const client = new RecallClient((process.env.KAFKA ?? '127.0.0.1:9092').split(','), values.namespace)
  await client.start()
  const asked = values.item ? { item_ids: values.item } : { user_id: values.user }
  try {
    const request = { ...asked, k: Number(values.k), filter: JSON.parse(values.filter) }
    console.log(JSON.stringify(await client.recall(request, 5000)))
  } finally {
    await client.stop()
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) await main()
