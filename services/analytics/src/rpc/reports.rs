//! The service that makes reports.

use plexus_proto::analytics::v1::{
    GetReportRequest, RenderReportRequest, RenderReportResponse, Report, report_service_server::ReportService,
};
use plexus_runtime::clock::timestamp;
use tonic::{Request, Response, Status};

use super::{Rpc, asked, encode, status};
use crate::{error::Error, page, report};

/// Characters of a heading: two lines on a wide screen.
const TITLE_CHARS_MAX: usize = 200;

#[tonic::async_trait]
impl ReportService for Rpc {
    async fn get_report(&self, request: Request<GetReportRequest>) -> Result<Response<Report>, Status> {
        let request = request.into_inner();
        let asked = asked(request.start_time.as_ref(), request.end_time.as_ref())?;
        let report = report::Report::read(&self.store, asked, self.clock.now_us()).await.map_err(status)?;
        let span = report.days.span();
        Ok(Response::new(Report {
            start_time: Some(timestamp(span.start_us)),
            end_time: Some(timestamp(span.end_us)),
            create_time: Some(timestamp(report.create_us)),
            event_count: report.event_count(),
            user_count: report.user_count,
            new_user_count: report.new_user_count,
            days: encode::days(&report.daily),
            messages: Some(encode::statistics("", &report.messages)),
            top_events: encode::event_counts(report.top_events),
        }))
    }

    async fn render_report(
        &self,
        request: Request<RenderReportRequest>,
    ) -> Result<Response<RenderReportResponse>, Status> {
        let request = request.into_inner();
        if request.title.chars().count() > TITLE_CHARS_MAX {
            let reason = format!("must have at most {TITLE_CHARS_MAX} characters");
            return Err(status(Error::invalid("title", reason)));
        }
        let title = if request.title.is_empty() { page::TITLE_DEFAULT } else { &request.title };
        let asked = asked(request.start_time.as_ref(), request.end_time.as_ref())?;
        let report = report::Report::read(&self.store, asked, self.clock.now_us()).await.map_err(status)?;
        Ok(Response::new(RenderReportResponse { html: page::page(title, &report) }))
    }
}
