"""The SCIM 2.0 protocol (RFC 7643, 7644, 9865) over our tables: scim2-server does requests and answers, this package the
storage, filters in SQL, and what real clients send beside the standard. No web, no tokens, no policy: those are flows.
"""
