'use strict';

// A log on the server: what is written under a key can be read under the same key, by whoever knows it. This
// is the only place that knows the handler's URL.
class ServerLog {
  constructor(key) {
    this.key = key;
  }

  url(parameters = '') {
    return `/_wpt/log?key=${encodeURIComponent(this.key)}${parameters}`;
  }

  async write(entry) {
    const response = await fetch(this.url(), {method: 'POST', body: JSON.stringify(entry)});
    if (!response.ok) {
      throw new Error(`the log answers with status ${response.status}`);
    }
  }

  // The entries, when there are at least as many as `count`.
  async read(count = 0) {
    const response = await fetch(this.url(count ? `&wait=${count}` : ''));
    const lines = (await response.text()).split('\n').filter(line => line);
    return lines.map(line => JSON.parse(JSON.parse(line).body));
  }
}
