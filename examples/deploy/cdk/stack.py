"""A function that streams, behind a Function URL and a REST API.

First make the folder `build`, which is the function's zip:
pip install --upgrade --target build -r function/requirements.txt && cp function/app.py build
"""

from aws_cdk import App, CfnOutput, Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct


class StreamStack(Stack):
    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        function = lambda_.Function(
            self,
            "Stream",
            code=lambda_.Code.from_asset("build"),
            handler="app.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            timeout=Duration.minutes(15),  # for the whole stream; the default is 3 seconds
            environment={"PENSTOCK_STREAM": "function_url,rest_api"},  # adapt streams to both
        )
        # With NONE this adds both permissions.
        url = function.add_function_url(
            auth_type=lambda_.FunctionUrlAuthType.NONE,
            invoke_mode=lambda_.InvokeMode.RESPONSE_STREAM,
        )
        api = apigateway.RestApi(
            self,
            "RestApi",
            # API Gateway's own default is EDGE, which ends a stream silent for 30 seconds.
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=False,
        )
        api.root.add_method(
            "GET",
            apigateway.LambdaIntegration(
                function,
                response_transfer_mode=apigateway.ResponseTransferMode.STREAM,
                timeout=Duration.minutes(15),  # the default is 29 seconds
            ),
        )
        CfnOutput(self, "FunctionUrl", value=url.url)
        CfnOutput(self, "RestApiUrl", value=api.url)


app = App()
StreamStack(app, "PenstockStream")
app.synth()
