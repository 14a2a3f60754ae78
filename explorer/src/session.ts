/** The session: the token of this window, and who it says that we are. A server in local mode needs none. */
import viewerQuery from "./operations/Viewer.graphql?raw";

export interface Viewer {
  user: { name: string };
  role: string | null;
  workspace: { name: string };
}

export interface State {
  token: string | null;
  viewer: Viewer | null;
  /** The server has said that it needs a token, or another one. */
  needed: boolean;
  /** We had a token, which it did not accept. */
  refused: boolean;
}

// Of this window only, and gone with it: two windows can belong to two users.
const KEY = "marginalia:token";
const REFUSED = 401;

export class Session {
  private state: State = { token: sessionStorage.getItem(KEY), viewer: null, needed: false, refused: false };
  private readonly listeners = new Set<() => void>();

  constructor(private readonly url: string) {
    const linked = takeFromFragment();
    if (linked) this.keep(linked);
    // A sign-in link that is opened in this window changes only the fragment, so the page does not load again.
    addEventListener("hashchange", () => {
      const token = takeFromFragment();
      if (token) this.signIn(token);
    });
  }

  readonly current = (): State => this.state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Send a request with the token, unless it has another one. */
  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const headers = new Headers(init?.headers);
    const { token } = this.state;
    if (headers.has("authorization")) return fetch(input, init);
    if (token) headers.set("authorization", `Bearer ${token}`);
    const response = await fetch(input, { ...init, headers });
    if (response.status === REFUSED) this.refuse(token);
    return response;
  };

  /** The payload of `connection_init`. */
  readonly connectionParams = (): Record<string, string> => {
    const { token } = this.state;
    return token ? { Authorization: `Bearer ${token}` } : {};
  };

  /** Ask who we are, if there is a token. Whatever goes wrong is told by what is asked next. */
  async recognise(): Promise<void> {
    const { token } = this.state;
    if (!token) return;
    try {
      const response = await this.ask(token, AbortSignal.timeout(2000));
      if (response.status === REFUSED) return this.refuse(token);
      const { data } = (await response.json()) as { data?: { viewer?: Viewer } | null };
      this.update({ viewer: data?.viewer ?? null });
    } catch {
      // The server is down or slow: that says nothing about the token.
    }
  }

  /** Whether the server accepts a token. Throws if it cannot be asked. */
  async accepts(token: string): Promise<boolean> {
    return (await this.ask(token)).status !== REFUSED;
  }

  /** Keep a token and load the page again: nothing of whoever used it before is left in it. */
  signIn(token: string): void {
    this.keep(token);
    location.reload();
  }

  signOut(): void {
    sessionStorage.removeItem(KEY);
    location.reload();
  }

  /** Forget a token that the server did not accept: it has expired or is revoked, or was none. */
  refuse(token = this.state.token): void {
    if (token !== this.state.token) return;
    sessionStorage.removeItem(KEY);
    const refused = this.state.refused || token !== null;
    this.update({ token: null, viewer: null, needed: true, refused });
  }

  private ask(token: string, signal: AbortSignal | null = null): Promise<Response> {
    return fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: viewerQuery }),
      signal,
    });
  }

  private keep(token: string): void {
    sessionStorage.setItem(KEY, token);
    this.state = { ...this.state, token };
  }

  private update(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }
}

/** The token of a sign-in link, `graphiql#token=…`. It leaves the address bar, and never was in a request. */
function takeFromFragment(): string | null {
  const token = /^#token=(.*)$/.exec(location.hash)?.[1];
  if (token === undefined) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  return token || null;
}
