//! examples of peerscope
