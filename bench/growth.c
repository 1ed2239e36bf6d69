void bench_growth(void);
void bench_growth(void) {
}
