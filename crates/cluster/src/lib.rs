//! Exact one-dimensional density clustering (DBSCAN).
