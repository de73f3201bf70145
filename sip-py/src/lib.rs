//! sansip-py
