"""The sender: pushes users and groups from AWS IAM Identity Center to SiQ, which AWS does not do by itself.

It runs in the customer's AWS account as one Lambda function, and as ``python -m plugins.aws_sso.push`` on any
machine with AWS credentials. So it imports the standard library and boto3 and nothing else, not even the host.

scim             what is said to SiQ
identity_store   what is read from AWS
sender           one user or group, and the full pass
events           what a CloudTrail event is about
handler          what Lambda calls
template         the CloudFormation template, with all of this in it
"""
