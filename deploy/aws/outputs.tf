output "role_arns" {
  description = "ARNs of the roles: writer, analyst and api-server."
  value       = { for role in local.roles : role => aws_iam_role.this[role].arn }
}

output "store_extra" {
  description = "Extra of the writer's connection of type elementary_store, without the store_id that store init prints."
  value = jsonencode({
    uri                  = "s3://${var.bucket}/${var.prefix}"
    kms_key_id           = aws_kms_key.data.arn
    signing_kms_key_id   = aws_kms_key.signing.arn
    category_kms_key_ids = { for category, key in aws_kms_key.category : category => key.arn }
  })
}
