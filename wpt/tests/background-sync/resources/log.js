'use strict';

// A log on the server: what is written under a key, a UUID, can be read under the same key, by whoever knows
// it.
class ServerLog {
  constructor(key) {
    this.url = `/background-sync/resources/log.py?key=${key}`;
  }

  async write(entry) {
    const response = await fetch(this.url, {method: 'POST', body: JSON.stringify(entry)});
    if (!response.ok) {
      throw new Error(`the log answers with status ${response.status}`);
    }
  }

  async read() {
    const lines = (await (await fetch(this.url)).text()).split('\n').filter(line => line);
    return lines.map(line => JSON.parse(JSON.parse(line).body));
  }

  // The entries, when there are as many as that. For pages only.
  async until(count) {
    for (;;) {
      const entries = await this.read();
      if (entries.length >= count) {
        return entries;
      }
      await one_round_trip();
    }
  }
}
