variable "name" {
  description = "Beginning of the names of roles and key aliases."
  type        = string
  default     = "elementary"
}

variable "bucket" {
  description = "Name of the bucket to create."
  type        = string
}

variable "prefix" {
  description = "Prefix of the store in the bucket, without slashes at its ends."
  type        = string
  default     = "elementary"
}

variable "airflow_arn" {
  description = "ARN of the role that Airflow's workers and API server run as; it may assume the three roles."
  type        = string
}

variable "category_readers" {
  description = "Categories with a KMS key of their own, and which of analyst and api-server may read each."
  type        = map(set(string))
  default     = { failed_rows_sample = [] }

  validation {
    condition     = alltrue([for readers in values(var.category_readers) : length(setsubtract(readers, ["analyst", "api-server"])) == 0])
    error_message = "A reader is analyst or api-server."
  }
}

variable "noncurrent_days" {
  description = "Days for which versions stay that were replaced or deleted: how long a mistake or a prune can be undone."
  type        = number
  default     = 30
}

variable "key_deletion_days" {
  description = "Days between the request to delete a KMS key and its deletion."
  type        = number
  default     = 30
}

variable "vpc_id" {
  description = "VPC of the workers. Without it, no VPC endpoint is made."
  type        = string
  default     = null
}

variable "route_table_ids" {
  description = "Route tables of the workers' subnets, for the endpoint of S3."
  type        = list(string)
  default     = []
}

variable "subnet_ids" {
  description = "Subnets of the workers, for the endpoints of KMS and STS."
  type        = list(string)
  default     = []
}

variable "endpoint_security_group_ids" {
  description = "Security groups of the endpoints of KMS and STS: they admit port 443 from the workers."
  type        = list(string)
  default     = []
}
