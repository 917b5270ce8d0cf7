data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

locals {
  roles = toset(["writer", "analyst", "api-server"])

  # What the policies in policies/ name.
  facts = {
    account_id     = data.aws_caller_identity.current.account_id
    name           = var.name
    bucket         = var.bucket
    prefix         = var.prefix
    airflow_arn    = var.airflow_arn
    writer_arn     = aws_iam_role.this["writer"].arn
    analyst_arn    = aws_iam_role.this["analyst"].arn
    api_server_arn = aws_iam_role.this["api-server"].arn
  }

  keys = {
    data_key_arn    = aws_kms_key.data.arn
    signing_key_arn = aws_kms_key.signing.arn
  }

  category_readers = {
    for pair in flatten([
      for category, readers in var.category_readers : [for reader in readers : { category = category, reader = reader }]
    ]) : "${pair.reader}-${pair.category}" => pair
  }
}

# The bucket.

resource "aws_s3_bucket" "store" {
  bucket = var.bucket
}

resource "aws_s3_bucket_public_access_block" "store" {
  bucket                  = aws_s3_bucket.store.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "store" {
  bucket = aws_s3_bucket.store.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "store" {
  bucket = aws_s3_bucket.store.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "store" {
  bucket = aws_s3_bucket.store.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.data.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "store" {
  bucket     = aws_s3_bucket.store.id
  depends_on = [aws_s3_bucket_versioning.store]

  # Prune removes objects; their versions stay this long. No rule expires a current object: only prune knows which.
  rule {
    id     = "noncurrent-versions"
    status = "Enabled"

    filter {
      prefix = "${var.prefix}/"
    }

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    expiration {
      expired_object_delete_marker = true
    }

    # Prune aborts uploads after two days; a younger one may belong to a snapshot that is being taken.
    abort_incomplete_multipart_upload {
      days_after_initiation = 3
    }
  }
}

resource "aws_s3_bucket_policy" "store" {
  bucket     = aws_s3_bucket.store.id
  policy     = templatefile("${path.module}/policies/bucket.json", local.facts)
  depends_on = [aws_s3_bucket_public_access_block.store]
}

# The keys.

resource "aws_kms_key" "data" {
  description             = "Elementary store: encrypts objects and wraps data keys"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days
  policy                  = templatefile("${path.module}/policies/data-key.json", local.facts)
}

resource "aws_kms_alias" "data" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.data.key_id
}

resource "aws_kms_key" "signing" {
  description              = "Elementary store: signs every document"
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
  deletion_window_in_days  = var.key_deletion_days
  policy                   = templatefile("${path.module}/policies/signing-key.json", local.facts)
}

resource "aws_kms_alias" "signing" {
  name          = "alias/${var.name}-signing"
  target_key_id = aws_kms_key.signing.key_id
}

resource "aws_kms_key" "category" {
  for_each = var.category_readers

  description             = "Elementary store: wraps the data keys of ${each.key}"
  enable_key_rotation     = true
  deletion_window_in_days = var.key_deletion_days
  policy                  = templatefile("${path.module}/policies/category-key.json", local.facts)
}

resource "aws_kms_alias" "category" {
  for_each = var.category_readers

  name          = "alias/${var.name}-${replace(each.key, "_", "-")}"
  target_key_id = aws_kms_key.category[each.key].key_id
}

# The roles.

resource "aws_iam_role" "this" {
  for_each = local.roles

  name               = "${var.name}-${each.key}"
  assume_role_policy = templatefile("${path.module}/policies/assume.json", { airflow_arn = var.airflow_arn })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = "store"
  role   = aws_iam_role.this[each.key].id
  policy = templatefile("${path.module}/policies/${each.key}.json", merge(local.facts, local.keys))
}

resource "aws_iam_role_policy" "creator" {
  name   = "create-the-store"
  role   = aws_iam_role.this["writer"].id
  policy = templatefile("${path.module}/policies/creator.json", merge(local.facts, local.keys))
}

resource "aws_iam_role_policy" "category_writer" {
  for_each = var.category_readers

  name   = "category-${each.key}"
  role   = aws_iam_role.this["writer"].id
  policy = templatefile("${path.module}/policies/category.json", { category_key_arn = aws_kms_key.category[each.key].arn })
}

resource "aws_iam_role_policy" "category_reader" {
  for_each = local.category_readers

  name   = "category-${each.value.category}"
  role   = aws_iam_role.this[each.value.reader].id
  policy = templatefile("${path.module}/policies/category-reader.json", { category_key_arn = aws_kms_key.category[each.value.category].arn })
}

# The way there without the internet.

resource "aws_vpc_endpoint" "s3" {
  count = var.vpc_id == null ? 0 : 1

  vpc_id            = var.vpc_id
  service_name      = "com.amazonaws.${data.aws_region.current.name}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.route_table_ids
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.vpc_id == null ? toset([]) : toset(["kms", "sts"])

  vpc_id              = var.vpc_id
  service_name        = "com.amazonaws.${data.aws_region.current.name}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = var.subnet_ids
  security_group_ids  = var.endpoint_security_group_ids
  private_dns_enabled = true
}
