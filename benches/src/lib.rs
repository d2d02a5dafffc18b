//! benches of peerscope
